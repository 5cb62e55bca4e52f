-- A deleted file lets go of its content, so that content that nothing else refers to can be cleared away.
ALTER TABLE project_files ALTER COLUMN digest DROP NOT NULL;
UPDATE project_files SET digest = NULL WHERE deleted;
ALTER TABLE project_files ADD CONSTRAINT project_files_content CHECK (deleted = (digest IS NULL));

COMMENT ON COLUMN blobs.stored_at IS 'When it was last uploaded, or last let go of by a file; an unused blob is swept only some time after that.';
CREATE INDEX blobs_stored ON blobs (stored_at);
