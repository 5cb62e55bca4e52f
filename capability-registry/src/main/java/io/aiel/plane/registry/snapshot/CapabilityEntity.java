package io.aiel.plane.registry.snapshot;

import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.Ids;
import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import org.hibernate.annotations.Immutable;

/** Row of {@code capabilities}; written once. */
@Entity
@Immutable
@Table(name = "capabilities")
public class CapabilityEntity {
    @Id
    private String id;

    @Column
    private String snapshot;

    @Column
    private String kind;

    @Column
    private String name;

    @Column(name = "contract_digest")
    private String contractDigest;

    @Column
    private String document;

    /** For Hibernate. */
    protected CapabilityEntity() {}

    CapabilityEntity(String snapshot, Capability capability, String document) {
        this.id = Ids.create("cap");
        this.snapshot = snapshot;
        this.kind = capability.ref().kind().wireName();
        this.name = capability.ref().name();
        this.contractDigest = capability.contractDigest().value();
        this.document = document;
    }

    Capability view() {
        return Exports.capability(document);
    }
}
