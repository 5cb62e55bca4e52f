-- Vectors of recall items, compared one by one (decision 0026): their directions as floats, the highest byte first.

alter table memory_items
  add column dimensions integer check (dimensions between 1 and 4096),
  add column embedding bytea,
  add constraint memory_items_embedding check (
    (dimensions is null and embedding is null) or (dimensions is not null and embedding is not null and octet_length(embedding) = 4 * dimensions));
-- Floats do not become shorter; not to try saves time when they are kept and when they are read.
alter table memory_items alter column embedding set storage external;
create index memory_items_by_dimensions on memory_items (project, dimensions, path_start) where dimensions is not null;
