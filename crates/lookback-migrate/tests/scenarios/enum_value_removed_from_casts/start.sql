CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE notes (
    id integer PRIMARY KEY,
    label text DEFAULT ('ok'::mood)::text CONSTRAINT label_is_new CHECK (label <> ('happy'::mood)::text),
    rank integer GENERATED ALWAYS AS (CASE WHEN 'ok'::mood < 'happy'::mood THEN id ELSE 0 END) STORED
);
CREATE INDEX notes_rank ON notes ((CASE WHEN 'ok'::mood < 'happy'::mood THEN id END)) WHERE 'ok'::mood < 'happy'::mood;
