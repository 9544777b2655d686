-- Images of items. An item's own row has them in their order, as JSON ([{"id","filename","content_type","size"}]: of an
-- upload these never change), so that reading an item reads no other table. `item_images` says which items use an
-- upload, and keeps one from being deleted while any does.
ALTER TABLE items ADD COLUMN images TEXT NOT NULL DEFAULT '[]';
CREATE TABLE item_images (
    upload_id BIGINT NOT NULL REFERENCES uploads (id),
    item_id   BIGINT NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    PRIMARY KEY (upload_id, item_id)
);
CREATE INDEX item_images_item_id ON item_images (item_id);
