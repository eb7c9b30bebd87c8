INSERT INTO logs (a) VALUES ('longer');
