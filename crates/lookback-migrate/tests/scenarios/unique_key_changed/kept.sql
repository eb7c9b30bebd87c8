SELECT count(*) = 2 AND to_regclass('users_email_key__new') IS NULL FROM users;
