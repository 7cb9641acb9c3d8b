"""What Slack's Web API takes, and how it is spoken to."""
