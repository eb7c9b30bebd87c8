SELECT mood = 'happy' FROM people;
