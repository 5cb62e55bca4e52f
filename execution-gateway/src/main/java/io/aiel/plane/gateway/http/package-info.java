/**
 * What every HTTP resource stands on: refusals, problem documents, the request's context and the demand that each resource
 * method names its action. Knows no feature; the features' resources depend on it.
 */
@NullMarked
package io.aiel.plane.gateway.http;

import org.jspecify.annotations.NullMarked;
