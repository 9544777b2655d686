DROP TABLE item_images;
ALTER TABLE items DROP COLUMN images;
