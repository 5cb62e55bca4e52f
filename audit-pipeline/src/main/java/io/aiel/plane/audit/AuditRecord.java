package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.EventId;
import io.aiel.plane.vocabulary.TenantId;

/**
 * One event as it is kept: its canonical bytes and its place in its stream.
 *
 * @param stream {@code execution/<id>} or {@code control/<tenant>}
 * @param sequence from 1, without gaps within the stream
 * @param hash SHA-256 over the canonical bytes, which hold {@code prev}, the hash of the record before
 * @param canonical RFC 8785 canonical CloudEvents 1.0 JSON
 */
public record AuditRecord(
        EventId id, TenantId tenant, String stream, long sequence, String type, Digest hash, String canonical) {}
