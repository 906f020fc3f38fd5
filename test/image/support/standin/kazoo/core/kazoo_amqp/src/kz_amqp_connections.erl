%% Keeps a connection to every broker of every zone, trying again each second, and knows which one is in use: the first of
%% the own zone's, in the order of their URIs, that is connected.
-module(kz_amqp_connections).
-behaviour(gen_server).
-export([start_link/0, connected/1, brokers/0, primary/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

connected(Uri) -> gen_server:cast(?MODULE, {up, Uri}).

%% [{Zone, Uri, Connected}]
brokers() -> gen_server:call(?MODULE, brokers).

%% The URI in use, or undefined.
primary() ->
    Zone = kz_config:zone(),
    case [Uri || {Z, Uri, true} <- brokers(), Z =:= Zone] of
        [Uri | _] -> Uri;
        [] -> undefined
    end.

init([]) ->
    Brokers = [{Zone, Uri} || {Zone, Uris} <- kz_config:zones(), Uri <- Uris],
    [spawn_link(fun() -> keep(Uri) end) || {_, Uri} <- Brokers],
    {ok, {Brokers, []}}.

handle_call(brokers, _From, {Brokers, Up} = State) ->
    {reply, [{Zone, Uri, lists:member(Uri, Up)} || {Zone, Uri} <- Brokers], State}.

handle_cast({up, Uri}, {Brokers, Up}) ->
    io:format("connected to ~s~n", [without_password(Uri)]),
    {noreply, {Brokers, [Uri | Up]}};
handle_cast({down, Uri, Reason}, {Brokers, Up}) ->
    case lists:member(Uri, Up) of
        true -> io:format("lost ~s: ~p~n", [without_password(Uri), Reason]);
        false -> ok
    end,
    {noreply, {Brokers, lists:delete(Uri, Up)}}.

handle_info(_Message, State) -> {noreply, State}.

keep(Uri) ->
    Reason = kz_amqp_connection:open(Uri),
    gen_server:cast(?MODULE, {down, Uri, Reason}),
    timer:sleep(1000),
    keep(Uri).

without_password(Uri) -> lists:last(binary:split(Uri, <<"@">>)).
