"""The shapes of OpenAI's interface, so that programs that speak it get captions of sounds."""
