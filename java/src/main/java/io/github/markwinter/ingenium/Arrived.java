package io.github.markwinter.ingenium;

import com.google.protobuf.Message;

/** An event that has arrived, and who sent it; empty where the sender did not say so. */
record Arrived<T extends Message>(T event, String source) {}
