SELECT mood = 'sad' FROM days;
