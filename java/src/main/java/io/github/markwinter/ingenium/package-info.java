/**
 * Components of Ingenium apps in Java: a strategy, or any other part that subscribes to the bus and
 * publishes on it. {@link io.github.markwinter.ingenium.Component} is where to begin.
 */
package io.github.markwinter.ingenium;
