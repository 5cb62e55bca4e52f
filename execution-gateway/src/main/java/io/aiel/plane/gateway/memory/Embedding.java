package io.aiel.plane.gateway.memory;

import com.fasterxml.jackson.databind.JsonNode;
import io.vertx.core.buffer.Buffer;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Optional;

/**
 * Where a vector points to, in a space of 1 to 4096 dimensions. Its length is not kept: what is compared is the angle. As bytes it is its numbers as
 * floats, one after the other, the highest byte first. Immutable; shows nothing of its numbers.
 */
final class Embedding {
    static final int DIMENSIONS_MAX = 4_096;

    private final float[] direction;

    private Embedding(float[] direction) {
        this.direction = direction;
    }

    /** Reads a list of numbers; empty when it is none, or too long, or points nowhere, being all zeros. */
    static Optional<Embedding> of(JsonNode list) {
        int dimensions = list.size();
        if (!list.isArray() || dimensions < 1 || dimensions > DIMENSIONS_MAX) {
            return Optional.empty();
        }
        double[] numbers = new double[dimensions];
        double largest = 0;
        for (int i = 0; i < dimensions; i++) {
            JsonNode number = list.get(i);
            if (!number.isNumber() || !Double.isFinite(number.asDouble())) {
                return Optional.empty();
            }
            numbers[i] = number.asDouble();
            largest = Math.max(largest, Math.abs(numbers[i]));
        }
        return largest == 0 ? Optional.empty() : Optional.of(new Embedding(direction(numbers, largest)));
    }

    private static float[] direction(double[] numbers, double largest) {
        // By the largest first: the square of 1e200 is no number any more, and that of 1e-200 is zero.
        double squares = 0;
        for (double number : numbers) {
            squares += (number / largest) * (number / largest);
        }
        double length = Math.sqrt(squares);
        float[] direction = new float[numbers.length];
        for (int i = 0; i < direction.length; i++) {
            direction[i] = (float) (numbers[i] / largest / length);
        }
        return direction;
    }

    int dimensions() {
        return direction.length;
    }

    /** How many bytes it is kept in. */
    int size() {
        return direction.length * Float.BYTES;
    }

    Buffer bytes() {
        ByteBuffer bytes = ByteBuffer.allocate(size());
        bytes.asFloatBuffer().put(direction);
        return Buffer.buffer(bytes.array());
    }

    /** The cosine of the angle to the one with these bytes, which has as many dimensions: 1 is the same direction, -1 the opposite. */
    double cosine(Buffer kept) {
        FloatBuffer other = ByteBuffer.wrap(kept.getBytes()).asFloatBuffer();
        double sum = 0;
        for (int i = 0; i < direction.length; i++) {
            sum += (double) direction[i] * other.get(i);
        }
        return Math.clamp(sum, -1.0, 1.0);
    }

    @Override
    public String toString() {
        return "Embedding(" + direction.length + ")";
    }
}
