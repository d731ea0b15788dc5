import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;

/**
 * com.sun.net.httpserver. Usage: java Zoo PORT MODE, where MODE is
 *
 * pools: handlers on one pool hand every call to a second, HttpURLConnection;
 * client: handlers on a pool, the JDK's own HttpClient;
 * virtual: a virtual thread for each request, HttpURLConnection.
 */
public final class Zoo {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();
    private static final ExecutorService WORKER = Executors.newSingleThreadExecutor();

    private static String mode;
    private static ExecutorService handlers;
    private static ExecutorService callers;

    public static void main(String[] arguments) throws Exception {
        mode = arguments[1];
        handlers = mode.equals("virtual") ? virtualThreads() : Executors.newFixedThreadPool(16);
        callers = mode.equals("virtual") ? handlers : Executors.newFixedThreadPool(16);
        var address = new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0]));
        var server = HttpServer.create(address, 1024);
        server.createContext("/", Zoo::handle);
        server.setExecutor(handlers);
        server.start();
        new Thread(Zoo::tick).start();
    }

    /** By name, so that older compilers take it. */
    private static ExecutorService virtualThreads() throws ReflectiveOperationException {
        var method = Executors.class.getMethod("newVirtualThreadPerTaskExecutor");
        return (ExecutorService) method.invoke(null);
    }

    private static void handle(HttpExchange exchange) throws IOException {
        var request = Plan.Request.of(exchange.getRequestURI());
        for (var step : request.steps()) {
            switch (step.when()) {
                case "job" -> WORKER.execute(() -> run(request, step, "job"));
                case "now" -> run(request, step, "now");
                default -> { }
            }
        }
        var body = "done\n".getBytes();
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
        for (var step : request.steps()) {
            if (step.when().equals("after")) {
                run(request, step, "after");
            }
        }
    }

    private static void run(Plan.Request request, Plan.Step step, String when) {
        var others = step.branches().stream().skip(1)
            .map(branch -> CompletableFuture.runAsync(() -> branch(request, branch, when), branchExecutor()))
            .toList();
        branch(request, step.branches().get(0), when);
        others.forEach(CompletableFuture::join);
    }

    /** Where calls have a pool of their own, branches must not wait for it in it. */
    private static java.util.concurrent.Executor branchExecutor() {
        return mode.equals("pools") ? BRANCHES : callers;
    }

    private static final ExecutorService BRANCHES = Executors.newCachedThreadPool();

    private static void branch(Plan.Request request, List<String> branch, String when) {
        for (var act : branch) {
            if (act.matches("t[\\d.]+")) {
                sleep(Double.parseDouble(act.substring(1)) * ThreadLocalRandom.current().nextDouble(0.5, 1.5));
            } else if (act.matches("c[\\d.]+")) {
                var end = System.nanoTime() + (long) (Double.parseDouble(act.substring(1)) * 1e6);
                while (System.nanoTime() < end) {
                    Thread.onSpinWait();
                }
            } else {
                call(request.uri(act, when));
            }
        }
    }

    private static void call(URI uri) {
        try {
            switch (mode) {
                case "client" -> CLIENT.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString());
                case "pools" -> callers.submit(() -> fetch(uri)).get();
                default -> fetch(uri);
            }
        } catch (Exception failed) {
            // A back end may fail; the request goes on.
        }
    }

    private static void fetch(URI uri) {
        try {
            var connection = (HttpURLConnection) uri.toURL().openConnection();
            var failed = connection.getResponseCode() >= 400;
            try (var body = failed ? connection.getErrorStream() : connection.getInputStream()) {
                body.readAllBytes();
            }
        } catch (IOException failed) {
            // As above.
        }
    }

    private static void tick() {
        while (!Plan.TIMER.isEmpty()) {
            sleep(ThreadLocalRandom.current().nextDouble(50, 150));
            var request = Plan.Request.tick();
            request.steps().forEach(step -> run(request, step, "timer"));
        }
    }

    private static void sleep(double milliseconds) {
        try {
            Thread.sleep((long) milliseconds, (int) (milliseconds % 1 * 1e6));
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
