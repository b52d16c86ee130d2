import io.github.markwinter.ingenium.Codec;
import io.github.markwinter.ingenium.v1.CancelEvent;
import io.github.markwinter.ingenium.v1.ControlEvent;
import io.github.markwinter.ingenium.v1.DataEvent;
import io.github.markwinter.ingenium.v1.DeadLetterEvent;
import io.github.markwinter.ingenium.v1.DenialEvent;
import io.github.markwinter.ingenium.v1.ExecutionEvent;
import io.github.markwinter.ingenium.v1.OrderEvent;
import io.github.markwinter.ingenium.v1.ReplaceEvent;
import io.github.markwinter.ingenium.v1.SignalEvent;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import java.util.function.Supplier;

/**
 * The conformance runner on the Java library, which reads and writes with JsonFormat.
 *
 * <p>It is built against the jar of examples/java: docs/conformance.md.
 */
public final class Conformance {
  private static final Map<String, Supplier<Message.Builder>> EVENTS =
      Map.of(
          "DataEvent", DataEvent::newBuilder,
          "SignalEvent", SignalEvent::newBuilder,
          "OrderEvent", OrderEvent::newBuilder,
          "CancelEvent", CancelEvent::newBuilder,
          "ReplaceEvent", ReplaceEvent::newBuilder,
          "ExecutionEvent", ExecutionEvent::newBuilder,
          "DenialEvent", DenialEvent::newBuilder,
          "ControlEvent", ControlEvent::newBuilder,
          "DeadLetterEvent", DeadLetterEvent::newBuilder);

  public static void main(String[] arguments) throws IOException {
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonObject question = JsonParser.parseString(line).getAsJsonObject();
      byte[] payload = Base64.getDecoder().decode(question.get("payload").getAsString());
      JsonObject result = answer(question.get("event").getAsString(), payload);
      result.add("id", question.get("id"));
      out.println(result);
    }
    out.flush();
  }

  private static JsonObject answer(String event, byte[] payload) {
    JsonObject result = new JsonObject();
    Supplier<Message.Builder> empty = EVENTS.get(event);
    if (empty == null) {
      result.addProperty("verdict", "unknown");
      return result;
    }
    Message.Builder builder = empty.get();
    try {
      Codec.read(payload, builder);
    } catch (InvalidProtocolBufferException error) {
      result.addProperty("verdict", "refused");
      result.addProperty("error", String.valueOf(error.getMessage()));
      return result;
    }
    result.addProperty("verdict", "accepted");
    Base64.Encoder base64 = Base64.getEncoder();
    Message read = builder.build();
    result.addProperty("binary", base64.encodeToString(read.toByteArray()));
    try {
      byte[] written = Codec.write(read);
      result.addProperty("json", base64.encodeToString(written));
    } catch (InvalidProtocolBufferException error) {
      result.addProperty("error", String.valueOf(error.getMessage()));
    }
    return result;
  }
}
