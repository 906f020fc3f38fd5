-module(kz_nodes).
-export([status/0]).

%% The nodes that Kazoo knows. This one announces itself to nobody, and hears of nobody.
status() ->
    {ok, Version} = application:get_key(kazoo_apps, vsn),
    io:format("Node          : ~s~n", [node()]),
    io:format("Version       : ~s - ~s~n", [Version, erlang:system_info(otp_release)]),
    io:format("Zone          : ~s (local)~n~n", [kz_config:zone()]),
    no_return.
