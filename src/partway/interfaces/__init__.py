"""Ways in: the command line. Everything here turns what a person gave into an EditRequest."""
