DROP TABLE sessions;
DROP TABLE changes;
DROP TABLE changesets;
DROP TABLE counters;
DROP TABLE item_search;
DROP TABLE items;
DROP TABLE categories;
DROP TABLE users;
