"""A stand-in of Mistral's chat API that keeps its rules and can be made to misbehave."""
