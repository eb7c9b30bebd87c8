SELECT slug = 'to do' FROM memos;
