CREATE TABLE visits (
    id integer PRIMARY KEY,
    mon integer, area text, "time" timestamptz NOT NULL, form text, "user" text, days integer,
    part integer GENERATED ALWAYS AS (extract(month FROM "time" AT TIME ZONE 'UTC')) STORED,
    CONSTRAINT visits_month CHECK (mon = extract(month FROM "time" AT TIME ZONE 'UTC')),
    CONSTRAINT visits_nfc CHECK (normalize(form, NFC) = form AND form IS NFC NORMALIZED),
    CONSTRAINT visits_day CHECK (make_interval(days => days) < INTERVAL '40' DAY),
    CONSTRAINT visits_user CHECK (user <> '')
);
CREATE INDEX visits_part ON visits (extract(month FROM "time" AT TIME ZONE 'UTC'), mon);
