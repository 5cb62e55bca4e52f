/** What users, developers, auditors and operators do, against the packaged application. */
@NullMarked
package io.aiel.plane.scenarios;

import org.jspecify.annotations.NullMarked;
