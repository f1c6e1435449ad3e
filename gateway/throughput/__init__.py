"""How fast texts become compressed ones: `pith bench compressor`."""
