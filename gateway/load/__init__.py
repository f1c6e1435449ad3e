"""Load on a gateway, and what it takes: the harness of `pith bench gateway`."""
