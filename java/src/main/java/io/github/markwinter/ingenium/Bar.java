package io.github.markwinter.ingenium;

import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Timestamps;
import io.github.markwinter.ingenium.v1.DataEvent;
import io.github.markwinter.ingenium.v1.Ohlc;
import java.math.BigDecimal;
import java.text.ParseException;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The market data of one symbol over one length of time.
 *
 * @param symbol the symbol as the component asked for it
 * @param open the first price; like the other numbers for indicators, and NaN where the sender left
 *     it out. The exact texts are in {@code event}.
 * @param high the highest price
 * @param low the lowest price
 * @param close the last price, which is always there
 * @param volume what was traded
 * @param time when the bar was known; {@code null} when the sender did not say so
 * @param period the length of the bar; zero when the sender did not state one of fixed length
 * @param event what arrived
 */
public record Bar(
    String symbol,
    double open,
    double high,
    double low,
    double close,
    double volume,
    Instant time,
    Duration period,
    DataEvent event) {

  private static final Pattern DECIMAL =
      Pattern.compile("[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][+-]?[0-9]{1,3})?");
  private static final Pattern PERIOD = Pattern.compile("([1-9][0-9]{0,8})(us|ms|s|m|h|d|w)");
  private static final Map<String, Long> MICROS =
      Map.of(
          "us", 1L,
          "ms", 1_000L,
          "s", 1_000_000L,
          "m", 60_000_000L,
          "h", 3_600_000_000L,
          "d", 86_400_000_000L,
          "w", 604_800_000_000L);

  /**
   * Reads the bar of an event.
   *
   * @param event what arrived
   * @param symbol the symbol as the component asked for it
   * @return its bar
   * @throws NumberFormatException a number cannot be read
   */
  public static Bar of(DataEvent event, String symbol) {
    Ohlc ohlc = event.getOhlc();
    Timestamp time = parseTime(event.getTimestamp());
    return new Bar(
        symbol,
        number(event, "Open", ohlc.getOpen()),
        number(event, "High", ohlc.getHigh()),
        number(event, "Low", ohlc.getLow()),
        number(event, "Close", ohlc.getClose()),
        number(event, "Volume", ohlc.getVolume()),
        time == null ? null : Instant.ofEpochSecond(time.getSeconds(), time.getNanos()),
        parsePeriod(ohlc.getPeriod()),
        event);
  }

  private static double number(DataEvent event, String name, String text) {
    if (text.isEmpty() && !name.equals("Close")) {
      return Double.NaN;
    }
    try {
      return parseDecimal(text).doubleValue();
    } catch (NumberFormatException error) {
      throw new NumberFormatException(
          "DataEvent.Ohlc." + name + " of " + event.getSymbol() + ": " + error.getMessage());
    }
  }

  /**
   * Reads a price or quantity, exactly; an exponent is taken.
   *
   * @param text the number
   * @return the number
   * @throws NumberFormatException it is none
   */
  public static BigDecimal parseDecimal(String text) {
    if (!DECIMAL.matcher(text).matches()) {
      throw new NumberFormatException("expected a decimal number, found '" + text + "'");
    }
    return new BigDecimal(text);
  }

  /**
   * Writes a number as the format has it: plainly, never with an exponent.
   *
   * @param value a price or quantity
   * @return its text
   */
  public static String formatDecimal(BigDecimal value) {
    return value.toPlainString();
  }

  /**
   * Reads the length of a bar, such as "5m" or "1d", which is how the Python SDK writes it.
   *
   * @param text the length
   * @return zero for other texts and for months, which differ in length
   */
  public static Duration parsePeriod(String text) {
    Matcher found = PERIOD.matcher(text);
    if (!found.matches()) {
      return Duration.ZERO;
    }
    long count = Long.parseLong(found.group(1));
    long unit = MICROS.get(found.group(2));
    return Duration.of(count, java.time.temporal.ChronoUnit.MICROS).multipliedBy(unit);
  }

  /** Reads RFC 3339; a time without a zone is UTC, and year 1 is how Go writes that there is none. */
  static Timestamp parseTime(String text) {
    String trimmed = text.strip();
    if (trimmed.startsWith("0001-01-01")) {
      return null;
    }
    for (String tried : new String[] {trimmed, trimmed.replace(' ', 'T') + "Z"}) {
      try {
        return Timestamps.parse(tried);
      } catch (ParseException | IllegalArgumentException none) {
        // The next form.
      }
    }
    return null;
  }

  /** Writes RFC 3339 without zeros at the end of the fraction. */
  static String formatTime(Timestamp time) {
    String text = Timestamps.toString(time);
    return text.contains(".") ? text.replaceFirst("\\.?0*Z$", "Z") : text;
  }
}
