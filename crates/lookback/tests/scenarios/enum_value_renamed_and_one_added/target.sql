CREATE TYPE mood AS ENUM ('sad', 'fine', 'good');
CREATE TABLE days (mood mood);
