-module(kazoo_media_maintenance).
-export([import_prompts/1, import_prompts/2]).

import_prompts(Path) -> import_prompts(Path, <<"en-us">>).

import_prompts(Path, Language) ->
    case filelib:is_dir(Path) of
        false -> io:format("not a directory, or is inaccessible: '~s'~n", [Path]);
        true ->
            kz_datamgr:db_create("system_media"),
            case filelib:wildcard(binary_to_list(Path) ++ "/*.{wav,mp3}") of
                [] -> io:format("failed to find media files in '~s'~n", [Path]);
                Files ->
                    io:format("importing prompts from '~s' with language '~s'~n", [Path, Language]),
                    [import(File, Language) || File <- Files],
                    io:format("importing went successfully~n")
            end
    end.

import(File, Language) ->
    Prompt = filename:basename(File, filename:extension(File)),
    Id = io_lib:format("~s%2F~s", [Language, Prompt]),
    io:format("importing prompt '~s' with language '~s'~n", [File, Language]),
    kz_datamgr:save_doc("system_media", lists:flatten(Id), iolist_to_binary(["{\"prompt_id\":\"", Prompt, "\"}"])).
