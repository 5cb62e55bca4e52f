import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.json.JsonObject;

/** Adds two numbers on one event loop and does nothing else: what the load generator and the loopback cost by themselves. */
public final class Null {
    private Null() {}

    /** Listens at the port that is named. */
    public static void main(String[] arguments) {
        Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1).setWorkerPoolSize(1));
        vertx.createHttpServer()
                .requestHandler(request -> request.body().onSuccess(body -> {
                    JsonObject payload = body.length() == 0 ? new JsonObject() : body.toJsonObject();
                    int sum = payload.getInteger("a", 0) + payload.getInteger("b", 0);
                    request.response()
                            .putHeader("Content-Type", "application/json")
                            .end("{\"sum\":" + sum + "}");
                }))
                .listen(Integer.parseInt(arguments[0]), "127.0.0.1")
                .onFailure(cause -> {
                    System.err.println(cause);
                    System.exit(1);
                });
    }
}
