SELECT (mon, area, form, "user", days, part) = (2, 'x', 'n', 'u', 4, 2) FROM visits;
