package io.aiel.plane.gateway.app;

import io.aiel.plane.vocabulary.TokenText;
import java.util.logging.Formatter;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.regex.Pattern;

/**
 * Makes each log record one line, whatever a caller, tenants' code or a library put into it: nobody can write a record of their own
 * into the log, move a terminal's cursor, or hide what follows. Lines of a stack trace are joined by {@code \n}, two characters.
 *
 * <p>What another formatter gives is escaped as in a Java or JSON string: the backslash, control characters of both ranges, line and
 * paragraph separators, marks that reorder text, lone surrogates and what is no character. Unescaping gives back the exact text, so
 * {@code sed 's/\\n/\n/g'} shows a trace as usual. A longer record than {@link #CHARACTERS_MAX} is cut, and says so.
 *
 * <p>Tokens and the signatures of URLs are cut, since a library may log the address of a request.
 *
 * <p>Thread-safe when the formatter that it wraps is.
 */
final class OneLineFormatter extends Formatter {
    /** Room for a deep stack trace, and a bound on what one request can make a disk take. */
    static final int CHARACTERS_MAX = 32_768;

    private static final Pattern SIGNATURE = Pattern.compile("(signature(?:=|%3[dD]))[0-9a-fA-F]{8,}");

    private final Formatter wrapped;

    OneLineFormatter(Formatter wrapped) {
        this.wrapped = wrapped;
    }

    /** Lets this handler write one line per record; a handler that does so already is left as it is. */
    static void use(Handler handler) {
        Formatter formatter = handler.getFormatter();
        if (formatter != null && !(formatter instanceof OneLineFormatter)) {
            handler.setFormatter(new OneLineFormatter(formatter));
        }
    }

    @Override
    public String format(LogRecord logged) {
        return oneLine(redacted(wrapped.format(logged))) + "\n";
    }

    @Override
    public String getHead(Handler handler) {
        return wrapped.getHead(handler);
    }

    @Override
    public String getTail(Handler handler) {
        return wrapped.getTail(handler);
    }

    /** Libraries log the addresses of requests that failed, with what proves a right in them. */
    static String redacted(String text) {
        String withoutTokens = TokenText.redacted(text);
        return withoutTokens.contains("signature")
                ? SIGNATURE.matcher(withoutTokens).replaceAll("$1[redacted]")
                : withoutTokens;
    }

    /** The text without the line end that it ends with, escaped and bounded. */
    static String oneLine(String text) {
        int length = text.length();
        while (length > 0 && (text.charAt(length - 1) == '\n' || text.charAt(length - 1) == '\r')) {
            length--;
        }
        int shown = Math.min(length, CHARACTERS_MAX);
        if (shown < length && Character.isHighSurrogate(text.charAt(shown - 1))) {
            shown--;
        }
        StringBuilder line = new StringBuilder(shown + 64);
        for (int i = 0; i < shown; i++) {
            append(line, text, i);
        }
        if (shown < length) {
            line.append("… (").append(length - shown).append(" more characters)");
        }
        return line.toString();
    }

    private static void append(StringBuilder line, String text, int i) {
        char c = text.charAt(i);
        switch (c) {
            case '\\' -> line.append("\\\\");
            case '\n' -> line.append("\\n");
            case '\r' -> line.append("\\r");
            case '\t' -> line.append("\\t");
            default -> {
                if (isUnfit(text, i)) {
                    line.append(String.format("\\u%04x", (int) c));
                } else {
                    line.append(c);
                }
            }
        }
    }

    private static boolean isUnfit(String text, int i) {
        char c = text.charAt(i);
        if (c < 0x7f) {
            return c < 0x20;
        }
        if (Character.isHighSurrogate(c)) {
            return i + 1 == text.length() || !Character.isLowSurrogate(text.charAt(i + 1));
        }
        if (Character.isLowSurrogate(c)) {
            return i == 0 || !Character.isHighSurrogate(text.charAt(i - 1));
        }
        return switch (Character.getType(c)) {
            // Control holds DEL and the one-character CSI; format holds all marks of direction, and those that show
            // nothing.
            case Character.CONTROL, Character.FORMAT, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> true;
            default -> c >= 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);
        };
    }
}
