-module(kazoo_apps_sup).
-behaviour(supervisor).
-export([start_link/0, init/1]).

start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).

init([]) ->
    Children = [#{id => Module, start => {Module, start_link, []}} || Module <- [kz_amqp_connections, crossbar_http]],
    {ok, {#{strategy => one_for_one, intensity => 5, period => 10}, Children}}.
