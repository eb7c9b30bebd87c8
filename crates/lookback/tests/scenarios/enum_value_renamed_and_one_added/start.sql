CREATE TYPE mood AS ENUM ('bad', 'good');
CREATE TABLE days (mood mood);
