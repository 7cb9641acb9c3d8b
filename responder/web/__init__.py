"""The responder's web side: webhooks in, pages and JSON out."""
