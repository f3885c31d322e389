-- What a version's stacks can need, which of it was approved, and who signed its bundle.
ALTER TABLE template_version ADD COLUMN needed TEXT NOT NULL DEFAULT '[]'; -- JSON list of CAPABILITY_*
ALTER TABLE template_version ADD COLUMN approved TEXT; -- likewise; NULL: of before approvals, all that it needs
ALTER TABLE template_version ADD COLUMN publisher TEXT NOT NULL DEFAULT ''; -- the signature's key; empty: not signed
-- What a signed template was rendered from; NULL where it was not signed.
ALTER TABLE deployment ADD COLUMN source TEXT;
