SELECT code = 'new' FROM parts;
