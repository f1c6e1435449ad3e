"""Requests that an operator chose to keep, sealed, and what another policy would have made of them."""
