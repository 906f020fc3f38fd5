-module(kazoo_maintenance).
-export([nodes/0]).

%% This node and those it is connected to.
nodes() ->
    {ok, Version} = application:get_key(kazoo_apps, vsn),
    io:format("Node          : ~s~n", [node()]),
    io:format("Version       : ~s - ~s~n", [Version, erlang:system_info(otp_release)]),
    io:format("Memory Usage  : ~.2fMB~n", [erlang:memory(total) / 1048576]),
    io:format("Processes     : ~b~n", [erlang:system_info(process_count)]),
    io:format("Ports         : ~b~n", [length(erlang:ports())]),
    io:format("Zone          : ~s~n", [kz_config:zone()]),
    io:format("Broker        : amqp://~s~n", [broker(kz_amqp_connections:primary())]),
    [io:format("~nNode          : ~s~n", [Node]) || Node <- erlang:nodes()],
    no_return.

broker(undefined) -> "disconnected";
broker(Uri) -> lists:last(binary:split(Uri, <<"@">>)).
