%% Port 8000: `GET /` is static, as Crossbar's is; `GET /node` tells how this node sees itself.
-module(crossbar_http).
-export([start_link/0, init/1]).

start_link() -> proc_lib:start_link(?MODULE, init, [self()]).

init(Parent) ->
    {ok, Listener} = gen_tcp:listen(8000, [binary, {active, false}, {packet, http_bin}, {reuseaddr, true}]),
    proc_lib:init_ack(Parent, {ok, self()}),
    accept(Listener).

accept(Listener) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    Pid = spawn(fun() -> receive go -> serve(Socket) end end),
    ok = gen_tcp:controlling_process(Socket, Pid),
    Pid ! go,
    accept(Listener).

serve(Socket) ->
    {ok, {http_request, 'GET', {abs_path, Path}, _}} = gen_tcp:recv(Socket, 0, 5000),
    {Code, Body} = answer(Path),
    ok = gen_tcp:send(Socket, ["HTTP/1.1 ", Code, "\r\nContent-Type: application/json\r\nContent-Length: ",
                               integer_to_list(iolist_size(Body)), "\r\nConnection: close\r\n\r\n", Body]),
    gen_tcp:close(Socket).

answer(<<"/">>) -> {"200 OK", "{\"status\":\"success\"}"};
answer(<<"/node">>) ->
    {Host, Port} = kz_datamgr:server(),
    Brokers = [["{\"zone\":\"", Zone, "\",\"broker\":\"", broker(Uri), "\",\"connected\":", atom_to_list(Up), "}"]
               || {Zone, Uri, Up} <- kz_amqp_connections:brokers()],
    {"200 OK", ["{\"node\":\"", atom_to_list(node()), "\",\"zone\":\"", kz_config:zone(),
                "\",\"primary\":\"", broker(kz_amqp_connections:primary()), "\",\"brokers\":[", lists:join(",", Brokers),
                "],\"database\":{\"host\":\"", Host, "\",\"port\":", integer_to_list(Port), ",\"connected\":",
                atom_to_list(kz_datamgr:is_up()), "},\"nodes\":[",
                lists:join(",", [["\"", atom_to_list(Node), "\""] || Node <- nodes()]), "]}"]};
answer(_) -> {"404 Not Found", "{\"status\":\"error\"}"}.

broker(undefined) -> "";
broker(Uri) -> lists:last(binary:split(Uri, <<"@">>)).
