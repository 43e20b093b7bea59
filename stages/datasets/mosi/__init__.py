"""CMU-MOSI: sentiment of utterances from vision, audio and text."""
