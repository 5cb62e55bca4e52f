package io.aiel.plane.gateway.http;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Marks the few resource methods that are called without a token because the URL itself is the proof, such as a signed
 * upload. The method checks that proof. There is no principal in its {@link CallContext}.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.METHOD)
public @interface Tokenless {
    /** What stands in for the token. */
    String reason();
}
