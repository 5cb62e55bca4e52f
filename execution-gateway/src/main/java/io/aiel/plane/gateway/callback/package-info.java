/**
 * Telling others that an execution has ended: signed requests (Standard Webhooks) to hosts that an operator allowed, sent until they are
 * taken or their time is over. What is to be told is written with the execution's admission and becomes due with its end, both by
 * {@link io.aiel.plane.gateway.execution}; here it is sent. The door is {@link io.aiel.plane.gateway.callback.Callbacks}.
 */
@NullMarked
package io.aiel.plane.gateway.callback;

import org.jspecify.annotations.NullMarked;
