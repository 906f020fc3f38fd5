-module(kazoo_apps_app).
-behaviour(application).
-export([start/0, start/2, stop/1]).

start() -> {ok, _} = application:ensure_all_started(kazoo_apps).

start(_Type, _Arguments) ->
    kz_config:load(),
    Cookie = binary_to_atom(kz_config:get(<<"kazoo_apps">>, <<"cookie">>, <<>>), utf8),
    io:format("\e[1;37msetting kazoo_apps cookie to ~p\e[0m~n", [Cookie]),
    io:format("zone ~s, brokers ~b~n", [kz_config:zone(), length([U || {_, Us} <- kz_config:zones(), U <- Us])]),
    kazoo_apps_sup:start_link().

stop(_State) -> io:format("kazoo_apps has stopped in order~n").
