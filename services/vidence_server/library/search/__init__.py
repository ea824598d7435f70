"""Finding: typed filters, vectors, words, and the rankings of both made one."""
