/* SPDX-License-Identifier: MIT */
/*
 * Names of routing tables, from where iproute2 has them: rt_tables and rt_tables.d/ in
 * /etc/iproute2 over those in /usr/share/iproute2. What they say is nobody's to check here: a line
 * that makes no sense is as good as none.
 */

#include "config/build.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX ((size_t)64 * 1024)

static int add_name(Arena *arena, char *line, const TableName **list) {
        char *rest = NULL, *number, *name;
        TableName *added;
        uint64_t value;

        line[strcspn(line, "#\n")] = '\0';
        number = strtok_r(line, " \t", &rest);
        name = strtok_r(NULL, " \t", &rest);
        if (!number || !name || text_to_u64(number, &value) < 0 || value > UINT32_MAX)
                return 0;
        added = arena_new(arena, TableName);
        if (!added)
                return -ENOMEM;
        *added = (TableName){*list, arena_strdup(arena, name), value};
        *list = added;
        return added->name ? 0 : -ENOMEM;
}

static int read_file(Arena *arena, const char *path, const TableName **list) {
        FILE *file = fopen(path, "re");
        size_t room = 0, size = 0;
        char *line = NULL;
        int r = 0;

        if (!file)
                return 0;
        while (r == 0 && size < FILE_MAX && getline(&line, &room, file) > 0) {
                size += strlen(line);
                r = add_name(arena, line, list);
        }
        free(line);
        fclose(file);
        return r;
}

static int read_folder(Arena *arena, const char *path, const TableName **list) {
        DIR *dir = opendir(path);
        struct dirent *entry;
        int r = 0;

        if (!dir)
                return 0;
        while (r == 0 && (entry = readdir(dir))) {
                size_t size = strlen(entry->d_name);
                const char *file;

                if (entry->d_name[0] == '.' || size < 5 ||
                    !streq(entry->d_name + size - 5, ".conf"))
                        continue;
                file = arena_printf(arena, "%s/%s", path, entry->d_name);
                r = file ? read_file(arena, file, list) : -ENOMEM;
        }
        closedir(dir);
        return r;
}

/* The last one that is added is found first. */
int tables_read(Arena *arena, const char *root, const TableName **ret) {
        static const char *const folders[] = {"/usr/share/iproute2", "/etc/iproute2"};
        const TableName *list = NULL;
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(folders); i++) {
                const char *file = arena_printf(arena, "%s%s/rt_tables", root ?: "", folders[i]);
                const char *folder = arena_printf(arena, "%s%s/rt_tables.d", root ?: "",
                                                  folders[i]);

                if (!file || !folder)
                        return -ENOMEM;
                r = read_file(arena, file, &list);
                if (r == 0)
                        r = read_folder(arena, folder, &list);
        }
        if (r == 0)
                *ret = list;
        return r;
}

bool tables_find(const ParseScope *scope, const char *name, uint64_t *ret) {
        for (const TableName *table = scope->tables; table; table = table->next)
                if (streq(table->name, name)) {
                        *ret = table->number;
                        return true;
                }
        return false;
}
