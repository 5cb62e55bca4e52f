package io.aiel.plane.gateway.http;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Says which action a resource method performs; the policy is asked about it before the method runs. A resource method with
 * neither this nor {@link Tokenless} is denied to everybody.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.METHOD)
public @interface PlaneAction {
    /** The action's name as policies see it, such as {@code files.write}. */
    String value();

    /**
     * The caller is authenticated and the path resolved, but the method asks the policy itself, because only it knows the
     * resource or the arguments.
     */
    boolean deferred() default false;
}
