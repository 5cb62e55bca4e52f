package io.aiel.plane.gateway.integration;

import io.smallrye.mutiny.Uni;

/** Stands in where no key is configured: refuses everything. */
final class NoKeyEncryption implements KeyEncryption {
    @Override
    public Uni<String> current() {
        return refusal();
    }

    @Override
    public Uni<Wrapped> wrap(byte[] dataKey, byte[] bound) {
        return refusal();
    }

    @Override
    public Uni<byte[]> unwrap(Wrapped wrapped, byte[] bound) {
        return refusal();
    }

    private static <T> Uni<T> refusal() {
        return Uni.createFrom()
                .failure(
                        () -> new CredentialsUnavailable(
                                "This server has no key for credentials; an operator must name a file with plane.integration.kek-file, or a key management service with plane.integration.transit.url."));
    }
}
