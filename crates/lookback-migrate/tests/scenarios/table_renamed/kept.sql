SELECT a = 'x' FROM lines;
