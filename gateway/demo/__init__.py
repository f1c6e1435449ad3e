"""What `pith demo` shows: long texts written for it, and a loopback upstream that answers like OpenAI."""
