"""What every model is made of; the fusion methods that it may be built over are in `i2moe.fusion`."""
